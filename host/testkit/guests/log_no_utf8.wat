;; Writes a log line that is no UTF-8, and the same to standard error.
(module
  (import "wfhost:host/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 8)
  ;; Gives out memory and never takes it back.
  (global $next (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  ;; Describes no step: an empty list.
  (func (export "wfhost:step/steps@0.1.0#describe") (result i32) (i32.const 48))
  ;; The result `ok("null")`.
  (data (i32.const 16) "\00\00\00\00\00\00\00\00\40\00\00\00\04\00\00\00")
  (data (i32.const 64) "null")
  (data (i32.const 96) "\ff\fe\c3\28")
  (data (i32.const 128) "\60\00\00\00\04\00\00\00")
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (drop (call $write (i32.const 2) (i32.const 128) (i32.const 1) (i32.const 136)))
    (call $log (i32.const 2) (i32.const 96) (i32.const 4) (i32.const 0) (i32.const 0))
    (i32.const 16)))
