foreach(test nam rtneural)
  rondo_test(import_${test}_test SOURCES import/${test}_test.cpp frontend/reference.cpp LIBS rondo_frontend)
endforeach()
if(RONDO_WITH_ONNX)
  foreach(test onnx_ops onnx_graphs onnx_errors)
    rondo_test(import_${test}_test LIBS rondo_frontend onnx_proto
               SOURCES import/${test}_test.cpp import/onnx_files.cpp import/onnx_graphs.cpp frontend/reference.cpp)
  endforeach()
endif()
