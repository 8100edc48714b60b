;; Makes resources of its own for ever, and drops none.
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $main
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "run") (loop $again (drop (call $new (i32.const 1))) (br $again))))
  (core instance $main
    (instantiate $main (with "" (instance (export "new" (func $new))))))
  (func (export "run") (canon lift (core func $main "run"))))
