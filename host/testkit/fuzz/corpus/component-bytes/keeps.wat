;; Puts its input under the key `null` of the run's store and answers with what was there
;; before; fails if it cannot be put, or if the function's name begins with `f`.
(module
  (import "wfhost:host/kv@0.1.0" "get" (func $get (param i32 i32 i32)))
  (import "wfhost:host/kv@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))
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
  ;; The result `err(permanent({ code: "null", message: … }))`.
  (data (i32.const 80) "\01\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00")
  (data (i32.const 96) "\40\00\00\00\04\00\00\00\40\00\00\00\04\00\00\00")
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (call $get (i32.const 64) (i32.const 4) (i32.const 128))
    (if (i32.load8_u (i32.const 128))
      (then
        (i32.store (i32.const 24) (i32.load (i32.const 132)))
        (i32.store (i32.const 28) (i32.load (i32.const 136)))))
    (call $set
      (i32.const 64)
      (i32.const 4)
      (i32.load offset=80 (local.get $args))
      (i32.load offset=84 (local.get $args))
      (i32.const 144))
    (if (i32.load8_u (i32.const 144))
      (then
        (i32.store (i32.const 104) (i32.load (i32.const 152)))
        (i32.store (i32.const 108) (i32.load (i32.const 156)))
        (return (i32.const 80))))
    (if (i32.eq (i32.load8_u (i32.load (local.get $args))) (i32.const 102))
      (then (return (i32.const 80))))
    (i32.const 16)))
