foreach(test nam rtneural)
  rondo_test(import_${test}_test SOURCES import/${test}_test.cpp frontend/reference.cpp LIBS rondo_frontend)
endforeach()
if(RONDO_WITH_ONNX)
  foreach(test onnx_ops)
    rondo_test(import_${test}_test SOURCES import/${test}_test.cpp import/onnx_files.cpp frontend/reference.cpp
               LIBS rondo_frontend onnx_proto)
  endforeach()
endif()
