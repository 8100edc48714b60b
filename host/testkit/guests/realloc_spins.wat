;; Computes for ever when the host asks it for memory: before its step begins.
(module
  (memory (export "memory") 8)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (loop $again (br $again))
    (unreachable))
  ;; Describes no step: an empty list.
  (func (export "wfhost:step/steps@0.1.0#describe") (result i32) (i32.const 48))
  ;; The result `ok("null")`.
  (data (i32.const 16) "\00\00\00\00\00\00\00\00\40\00\00\00\04\00\00\00")
  (data (i32.const 64) "null")
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (i32.const 16)))
