rondo_test(ops_test
  SOURCES ops/ops_test.cpp ops/rows.cpp ops/cases.cpp ops/rules_test.cpp
  LIBS rondo_ir fmt::fmt)
