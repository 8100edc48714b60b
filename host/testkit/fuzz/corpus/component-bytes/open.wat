;; Opens the path that is its input, below its first directory: to read it (and give back its
;; first bytes as its output), or, if the function's name begins with `w`, to write it. Fails
;; with the error number.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
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
  ;; The result `err(permanent({ code: "open", message: … }))`.
  (data (i32.const 80) "\01\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00")
  (data (i32.const 96) "\70\00\00\00\04\00\00\00\74\00\00\00\02\00\00\00")
  (data (i32.const 112) "open00")
  ;; Where a file is read to: 64 bytes.
  (data (i32.const 128) "\a0\00\00\00\40\00\00\00")
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (local $error i32)
    (local $writes i32)
    (local.set $writes
      (i32.eq (i32.load8_u (i32.load (local.get $args))) (i32.const 119)))
    (local.set $error
      (call $open
        (i32.const 3)
        (i32.const 1)
        ;; The input without its quotes.
        (i32.add (i32.load offset=80 (local.get $args)) (i32.const 1))
        (i32.sub (i32.load offset=84 (local.get $args)) (i32.const 2))
        ;; Creates what it writes.
        (local.get $writes)
        (select (i64.const 0x40) (i64.const 0x2) (local.get $writes))
        (i64.const 0)
        (i32.const 0)
        (i32.const 144)))
    (if (local.get $error)
      (then
        (i32.store8 (i32.const 116)
          (i32.add (i32.const 48) (i32.div_u (local.get $error) (i32.const 10))))
        (i32.store8 (i32.const 117)
          (i32.add (i32.const 48) (i32.rem_u (local.get $error) (i32.const 10))))
        (return (i32.const 80))))
    (if (local.get $writes) (then (return (i32.const 16))))
    (if (call $read (i32.load (i32.const 144)) (i32.const 128) (i32.const 1) (i32.const 28))
      (then (unreachable)))
    (i32.store (i32.const 24) (i32.const 160))
    (i32.const 16)))
