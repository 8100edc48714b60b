;; Fills its first directory until that fails: with bytes, files, directories, links, or a length,
;; by the first letter of the function's name. Answers with the number of the error.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $folder (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_link"
    (func $link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
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
  (data (i32.const 96) "\"00\"")
  ;; The result `ok("\"00\"")`, with the number of the error.
  (data (i32.const 80) "\00\00\00\00\00\00\00\00\60\00\00\00\04\00\00\00")
  (data (i32.const 112) "file")
  ;; What is written at once: 64 KiB.
  (data (i32.const 128) "\00\00\01\00\00\00\01\00")
  (data (i32.const 256) "00000000")
  ;; The next name: a number in the letters from `0` on, at 256.
  (func $name
    (local $at i32)
    (local.set $at (i32.const 263))
    (loop $carry
      (i32.store8 (local.get $at) (i32.add (i32.load8_u (local.get $at)) (i32.const 1)))
      (if (i32.gt_u (i32.load8_u (local.get $at)) (i32.const 57))
        (then
          (i32.store8 (local.get $at) (i32.const 48))
          (local.set $at (i32.sub (local.get $at) (i32.const 1)))
          (br $carry)))))
  ;; Makes the file of that name and opens it, or its error.
  (func $made (param $name i32) (param $len i32) (result i32)
    (call $open
      (i32.const 3) (i32.const 1) (local.get $name) (local.get $len) (i32.const 1)
      (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 144)))
  ;; One more of what the function's name begins with; its error.
  (func $once (param $what i32) (result i32)
    (local $error i32)
    (call $name)
    ;; `f`iles
    (if (i32.eq (local.get $what) (i32.const 102))
      (then
        (local.set $error (call $made (i32.const 256) (i32.const 8)))
        (if (i32.eqz (local.get $error)) (then (drop (call $close (i32.load (i32.const 144))))))
        (return (local.get $error))))
    ;; `d`irectories
    (if (i32.eq (local.get $what) (i32.const 100))
      (then (return (call $folder (i32.const 3) (i32.const 256) (i32.const 8)))))
    ;; `l`inks
    (if (i32.eq (local.get $what) (i32.const 108))
      (then (return (call $link
        (i32.const 3) (i32.const 0) (i32.const 112) (i32.const 4)
        (i32.const 3) (i32.const 256) (i32.const 8)))))
    ;; `s`ymbolic links
    (if (i32.eq (local.get $what) (i32.const 115))
      (then (return (call $symlink
        (i32.const 112) (i32.const 4) (i32.const 3) (i32.const 256) (i32.const 8)))))
    ;; `g`rows the file to a terabyte, without writing
    (if (i32.eq (local.get $what) (i32.const 103))
      (then (return (call $set_size (i32.load (i32.const 148)) (i64.const 0x10000000000)))))
    ;; `b`ytes
    (call $write (i32.load (i32.const 148)) (i32.const 128) (i32.const 1) (i32.const 136)))
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (local $error i32)
    (local $what i32)
    (local.set $what (i32.load8_u (i32.load (local.get $args))))
    (local.set $error (call $made (i32.const 112) (i32.const 4)))
    (i32.store (i32.const 148) (i32.load (i32.const 144)))
    (loop $again
      (if (i32.eqz (local.get $error))
        (then
          (local.set $error (call $once (local.get $what)))
          (br $again))))
    (i32.store8 (i32.const 97)
      (i32.add (i32.const 48) (i32.div_u (local.get $error) (i32.const 10))))
    (i32.store8 (i32.const 98)
      (i32.add (i32.const 48) (i32.rem_u (local.get $error) (i32.const 10))))
    (i32.const 80)))
