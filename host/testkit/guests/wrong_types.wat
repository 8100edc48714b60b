;; Says that it is of the step world, with functions of other types.
(component
  (core module $m (func (export "f") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func $f (result u32) (canon lift (core func $i "f")))
  (instance $steps (export "describe" (func $f)) (export "run" (func $f)))
  (export "wfhost:step/steps@0.1.0" (instance $steps)))
