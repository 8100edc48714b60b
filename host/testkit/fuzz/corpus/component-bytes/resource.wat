(component
  (import "a:b/c@1.2.3" (instance $c
    (export "thing" (type $thing (sub resource)))
    (export "[method]thing.get" (func (param "self" (borrow $thing)) (result (list u8))))
    (export "[constructor]thing" (func (param "x" u32) (result (own $thing))))))
  (import "wasi:cli/environment@0.2.0" (instance (export "get-arguments" (func (result (list string))))))
  (alias export $c "thing" (type $t))
  (import "run" (func $run (param "t" (own $t))))
  (export "run-it" (func $run)))
