;; Opens `d/secret` again and again and reads its first byte; answers as soon as that is
;; what only the file outside of its directory begins with, and `null` after 5,000 tries.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
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
  (data (i32.const 96) "d/secret")
  (data (i32.const 104) "true")
  ;; The result `ok("true")`.
  (data (i32.const 80) "\00\00\00\00\00\00\00\00\68\00\00\00\04\00\00\00")
  ;; Where a file is read to: one byte.
  (data (i32.const 128) "\a0\00\00\00\01\00\00\00")
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (local $left i32)
    (local.set $left (i32.const 5000))
    (loop $again
      (i32.store8 (i32.const 160) (i32.const 0))
      (if (i32.eqz (call $open
            (i32.const 3) (i32.const 1) (i32.const 96) (i32.const 8) (i32.const 0)
            (i64.const 0x2) (i64.const 0) (i32.const 0) (i32.const 144)))
        (then
          (drop (call $read (i32.load (i32.const 144)) (i32.const 128) (i32.const 1) (i32.const 28)))
          (drop (call $close (i32.load (i32.const 144))))
          ;; An `s`: of the secret.
          (if (i32.eq (i32.load8_u (i32.const 160)) (i32.const 115))
            (then (return (i32.const 80))))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (i32.store (i32.const 28) (i32.const 4))
    (i32.const 16)))
