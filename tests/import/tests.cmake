rondo_test(import_nam_test SOURCES import/nam_test.cpp frontend/reference.cpp LIBS rondo_frontend)
