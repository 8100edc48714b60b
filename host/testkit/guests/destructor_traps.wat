;; Has a resource whose destructor traps: `drops` makes one and drops it, `keeps` makes one and
;; ends without dropping it.
(component
  (core module $destructor (func $last-words (export "destructor") (param i32) unreachable))
  (core instance $destructor (instantiate $destructor))
  (type $thing (resource (rep i32) (dtor (core func $destructor "destructor"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $main
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "drops") (call $drop (call $new (i32.const 1))))
    (func (export "keeps") (drop (call $new (i32.const 1)))))
  (core instance $main
    (instantiate $main
      (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "drops") (canon lift (core func $main "drops")))
  (func (export "keeps") (canon lift (core func $main "keeps"))))
