;; Waits for the same timer a million times in one call.
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
  (memory (export "memory") 200)
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
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (local $at i32)
    (local $timer i32)
    (local.set $timer (call $subscribe (i64.const 1)))
    (local.set $at (i32.const 0x10000))
    (loop $next
      (i32.store (local.get $at) (local.get $timer))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 0x3e0900))))
    (call $poll (i32.const 0x10000) (i32.const 1000000) (i32.const 128))
    (i32.const 16)))
