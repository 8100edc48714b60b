;; Tries to reach 127.0.0.1, port 80, over TCP. Answers `null` if it was refused.
(module
  (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $create (param i32 i32)))
  (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
  (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-connect"
    (func $connect
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
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
  (data (i32.const 128) "\ff")
  (func (export "wfhost:step/steps@0.1.0#run") (param $args i32) (result i32)
    (call $create (i32.const 0) (i32.const 160))
    ;; Refused when the socket is made, or when it is connected.
    (if (i32.load8_u (i32.const 160)) (then (return (i32.const 16))))
    (call $connect
      (i32.load (i32.const 164)) (call $network)
      (i32.const 0) (i32.const 80) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 176))
    (if (i32.load8_u (i32.const 176)) (then (return (i32.const 16))))
    (unreachable)))
