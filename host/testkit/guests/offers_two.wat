;; Offers `fetch` and `fetch-all`, in an interface and alone.
(component
  (core module $m (func (export "f") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m))
  (func $f (result u32) (canon lift (core func $i "f")))
  (instance $pages (export "fetch" (func $f)) (export "fetch-all" (func $f)))
  (export "acme:web/pages@1.0.0" (instance $pages))
  (export "fetch" (func $f))
  (export "fetch-all" (func $f)))
