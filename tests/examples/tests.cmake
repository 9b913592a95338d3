if(NOT RONDO_EXAMPLES)
  return()
endif()
rondo_test(examples_support_test SOURCES examples/support_test.cpp LIBS rondo_examples_support)

# The examples in short forms, as a user runs them: each checks its claim in small.
rondo_test(examples_test LABELS slow
  SOURCES examples/hello_test.cpp examples/adding_test.cpp examples/digits_test.cpp examples/gradients_test.cpp
    examples/names_test.cpp examples/counter_test.cpp examples/tagging_test.cpp examples/sequences_test.cpp
    examples/own_cell_test.cpp
  LIBS rondo_support)
target_compile_definitions(examples_test PRIVATE RONDO_BIN="$<TARGET_FILE_DIR:hello>")
add_dependencies(examples_test hello adding digits gradients names counter tagging teacher spell numbers own_cell)

rondo_test(char_lm_test LABELS slow SOURCES examples/char_lm_test.cpp LIBS rondo_runtime)
target_compile_definitions(char_lm_test PRIVATE CHAR_LM="$<TARGET_FILE:char_lm>" RONDO_TOOL="$<TARGET_FILE:rondo>"
                           RONDO_CC="${CMAKE_C_COMPILER}")
add_dependencies(char_lm_test char_lm rondo)

# Examples of libraries.
rondo_test(library_examples_test LABELS slow
  SOURCES examples/audio_effect_test.cpp examples/gesture_test.cpp examples/on_device_test.cpp
    examples/web_test.cpp
  LIBS rondo_frontend)
target_compile_definitions(library_examples_test PRIVATE RONDO_BIN="$<TARGET_FILE_DIR:hello>"
                           RONDO_CXX="${CMAKE_CXX_COMPILER}"
                           RONDO_GESTURE_ELF="${PROJECT_BINARY_DIR}/examples/gesture/gesture_mps2.elf")
add_dependencies(library_examples_test audio_effect amp_train gesture_firmware gesture_train on_device
                 gait_train char_lm)
if(TARGET gesture_mps2)
  add_dependencies(library_examples_test gesture_mps2)
endif()
