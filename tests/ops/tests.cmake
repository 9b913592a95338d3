rondo_test(ops_test
  SOURCES ops/ops_test.cpp ops/members_test.cpp ops/rows.cpp ops/cases.cpp ops/rules_test.cpp
  LIBS rondo_ir fmt::fmt)
rondo_test(compiled_ops_test
  SOURCES ops/compiled_ops_test.cpp ops/rows.cpp ops/cases.cpp
  LIBS rondo_codegen rondo_test_support fmt::fmt)
