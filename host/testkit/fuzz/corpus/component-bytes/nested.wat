(component
  (component $inner
    (component (core module (memory 1) (table 3 funcref) (func)))
    (import "f" (func (param "x" string)))
    (core module))
  (core module (memory 1))
  (@custom "package-docs" "\01{\"worlds\":{\"root\":{\"docs\":\"d\",\"func_exports\":{\"f\":{\"docs\":\"x\"}}}}}")
  (@custom "producers" "\01\08language\01\04Rust\041.95"))
