rondo_test(api_test SOURCES api/api_test.cpp runtime/count_allocations.cpp LIBS rondo_frontend)
