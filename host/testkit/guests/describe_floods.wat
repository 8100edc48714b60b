;; Describes more than the host takes: 1,000,000 steps without a name.
(module
  (memory (export "memory") 500)
  ;; Gives out memory and never takes it back.
  (global $next (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "wfhost:step/steps@0.1.0#describe") (result i32)
    (i32.const 128))
  ;; The result `ok("null")`.
  (data (i32.const 16) "\00\00\00\00\00\00\00\00\40\00\00\00\04\00\00\00")
  (data (i32.const 64) "null")
  (data (i32.const 128) "\00\00\01\00\40\42\0f\00")
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (i32.const 16)))
