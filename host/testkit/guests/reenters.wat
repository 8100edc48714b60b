;; Hands a resource of its own to a component within it, which drops it: the destructor would
;; enter a component that is in the middle of a call.
(component
  (component $dropper
    (import "thing" (type $thing (sub resource)))
    (core func $drop (canon resource.drop $thing))
    (core module $m
      (import "" "drop" (func $drop (param i32)))
      (func (export "take") (param i32) (call $drop (local.get 0))))
    (core instance $i
      (instantiate $m (with "" (instance (export "drop" (func $drop))))))
    (func (export "take") (param "thing" (own $thing)) (canon lift (core func $i "take"))))
  (core module $destructor (func (export "destructor") (param i32)))
  (core instance $destructor (instantiate $destructor))
  (type $thing (resource (rep i32) (dtor (core func $destructor "destructor"))))
  (instance $dropper (instantiate $dropper (with "thing" (type $thing))))
  (core func $new (canon resource.new $thing))
  (core func $take (canon lower (func $dropper "take")))
  (core module $main
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "take" (func $take (param i32)))
    (func (export "run") (call $take (call $new (i32.const 1)))))
  (core instance $main
    (instantiate $main
      (with "" (instance (export "new" (func $new)) (export "take" (func $take))))))
  (func (export "run") (canon lift (core func $main "run"))))
