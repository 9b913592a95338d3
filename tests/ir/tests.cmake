rondo_test(ir_test
  SOURCES ir/type_test.cpp ir/text_test.cpp ir/verifier_test.cpp ir/evaluator_test.cpp ir/lengths_test.cpp ir/loops_text_test.cpp
  LIBS rondo_ir fmt::fmt)
