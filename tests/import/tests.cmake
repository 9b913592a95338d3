rondo_test(import_nam_test SOURCES import/nam_test.cpp frontend/reference.cpp LIBS rondo_frontend)
if(RONDO_WITH_ONNX)
  foreach(test onnx_ops)
    rondo_test(import_${test}_test SOURCES import/${test}_test.cpp import/onnx_files.cpp frontend/reference.cpp
               LIBS rondo_frontend onnx_proto)
  endforeach()
endif()
