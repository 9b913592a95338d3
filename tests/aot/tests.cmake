# aot_test(NAME LABEL SOURCES...): a test that makes libraries, and builds what uses them.
function(aot_test name label)
  rondo_test(${name} LABELS ${label} SOURCES ${ARGN} LIBS rondo_frontend)
  target_compile_definitions(${name} PRIVATE RONDO_CC="${CMAKE_C_COMPILER}" RONDO_CXX="${CMAKE_CXX_COMPILER}"
                             RONDO_SAMPLES="${CMAKE_CURRENT_FUNCTION_LIST_DIR}" RONDO_LLVM_BIN="${LLVM_TOOLS_BINARY_DIR}")
endfunction()

aot_test(aot_library_test quick aot/library_test.cpp aot/library_errors_test.cpp)
aot_test(aot_instrumented_test slow aot/instrumented_test.cpp)
# Needs clang, lld, qemu-user-static, node; what is not there is skipped.
aot_test(aot_machines_test emulators aot/machines_test.cpp aot/wasm_test.cpp)

# Projects of their own that use Rondo, in the three ways of CMake, and one for another machine.
if(RONDO_INSTALL AND NOT CMAKE_CXX_FLAGS MATCHES sanitize)
  foreach(from installed sources fetched crossed)
    set(test Package.ServesAProjectFrom.${from})
    add_test(NAME ${test}
             COMMAND ${CMAKE_COMMAND} -DFROM=${from} -DBUILD=${PROJECT_BINARY_DIR} -DSOURCE=${PROJECT_SOURCE_DIR}
                     -DWORK=${CMAKE_CURRENT_BINARY_DIR}/package_${from} -DCXX=${CMAKE_CXX_COMPILER}
                     -DLAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER} -P ${CMAKE_CURRENT_LIST_DIR}/package.cmake)
    set_tests_properties(${test} PROPERTIES LABELS slow ENVIRONMENT "RONDO_CACHE=off" SKIP_REGULAR_EXPRESSION skipped)
  endforeach()
  set_tests_properties(Package.ServesAProjectFrom.crossed PROPERTIES LABELS emulators)
endif()
