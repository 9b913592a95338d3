rondo_test(grad_test
  SOURCES grad/grad_test.cpp grad/differentiate.cpp support/arrays.cpp
  LIBS rondo_passes)
