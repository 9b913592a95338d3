rondo_test(torch_gradients_test LABELS cases LIBS rondo_frontend nlohmann_json::nlohmann_json
  SOURCES cases/torch_gradients_test.cpp frontend/reference.cpp)
rondo_test(nam_case_test LABELS cases LIBS rondo_frontend SOURCES cases/nam_test.cpp)
