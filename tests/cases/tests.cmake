rondo_test(torch_gradients_test LABELS cases LIBS rondo_frontend nlohmann_json::nlohmann_json
  SOURCES cases/torch_gradients_test.cpp frontend/reference.cpp)
rondo_test(nam_case_test LABELS cases LIBS rondo_frontend SOURCES cases/nam_test.cpp)
if(RONDO_WITH_ONNX)
  rondo_test(onnx_case_test LABELS cases LIBS rondo_frontend onnx_proto 
             SOURCES cases/onnx_test.cpp import/onnx_files.cpp)
endif()
rondo_test(rtneural_case_test LABELS cases LIBS rondo_frontend SOURCES cases/rtneural_test.cpp)
