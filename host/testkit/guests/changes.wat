;; Tries everything that changes a directory and its files; answers with a letter for each that
;; succeeded.
(module
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $path_create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_remove_directory"
    (func $path_remove_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file"
    (func $path_unlink_file (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename"
    (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_link"
    (func $path_link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_set_times"
    (func $path_filestat_set_times (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_times"
    (func $set_times (param i32 i64 i64 i32) (result i32)))
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
  (data (i32.const 96) "new")
  (data (i32.const 104) "folder")
  (data (i32.const 112) "file")
  (data (i32.const 128) "\60\00\00\00\03\00\00\00")
  ;; Tells a call that changed something by its letter; those that failed say nothing.
  (data (i32.const 1024) "\"")
  (global $end (mut i32) (i32.const 1025))
  (func $tried (param $letter i32) (param $error i32)
    (if (i32.eqz (local.get $error))
      (then
        (i32.store8 (global.get $end) (local.get $letter))
        (global.set $end (i32.add (global.get $end) (i32.const 1))))))
  ;; Opens `file` with these flags (of opening, and its rights); its descriptor, or 99.
  (func $opened (param $flags i32) (param $rights i64) (result i32)
    (if (call $open
          (i32.const 3) (i32.const 1) (i32.const 112) (i32.const 4) (local.get $flags)
          (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 144))
      (then (return (i32.const 99))))
    (i32.load (i32.const 144)))
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (call $tried (i32.const 97) (call $path_create_directory (i32.const 3) (i32.const 96) (i32.const 3)))
    (call $tried (i32.const 98) (call $path_remove_directory (i32.const 3) (i32.const 104) (i32.const 6)))
    (call $tried (i32.const 99) (call $path_unlink_file (i32.const 3) (i32.const 112) (i32.const 4)))
    (call $tried (i32.const 100) (call $path_rename (i32.const 3) (i32.const 112) (i32.const 4) (i32.const 3) (i32.const 96) (i32.const 3)))
    (call $tried (i32.const 101) (call $path_link (i32.const 3) (i32.const 0) (i32.const 112) (i32.const 4) (i32.const 3) (i32.const 96) (i32.const 3)))
    (call $tried (i32.const 102) (call $path_symlink (i32.const 112) (i32.const 4) (i32.const 3) (i32.const 96) (i32.const 3)))
    (call $tried (i32.const 103) (call $path_filestat_set_times (i32.const 3) (i32.const 0) (i32.const 112) (i32.const 4) (i64.const 0) (i64.const 0) (i32.const 5)))
    ;; A file that was opened to be read only.
    (call $tried (i32.const 104)
      (call $write (call $opened (i32.const 0) (i64.const 0x2)) (i32.const 128) (i32.const 1) (i32.const 136)))
    (call $tried (i32.const 105) (call $set_size (call $opened (i32.const 0) (i64.const 0x2)) (i64.const 0)))
    (call $tried (i32.const 106)
      (call $set_times (call $opened (i32.const 0) (i64.const 0x2)) (i64.const 0) (i64.const 0) (i32.const 5)))
    ;; One that is made shorter as it is opened, one to be written.
    (call $tried (i32.const 107) (i32.eq (call $opened (i32.const 8) (i64.const 0x2)) (i32.const 99)))
    (call $tried (i32.const 108) (i32.eq (call $opened (i32.const 0) (i64.const 0x40)) (i32.const 99)))
    (call $tried (i32.const 109)
      (call $set_times (i32.const 3) (i64.const 0) (i64.const 0) (i32.const 5)))
    (i32.store8 (global.get $end) (i32.const 34))
    (i32.store (i32.const 24) (i32.const 1024))
    (i32.store (i32.const 28) (i32.sub (global.get $end) (i32.const 1023)))
    (i32.const 16)))
