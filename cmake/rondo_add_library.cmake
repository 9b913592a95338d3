# rondo_add_library(NAME FROM model.cpp [FUNCTIONS step run ...] [WEIGHTS file.safetensors | external]
#                   [WEIGHTS_IN library | pointer | array] [TARGETS ...] [BATCH n | any] [PREFIX p]
#                   [EMIT IR LLVM ASSEMBLY])
#
# A static library NAME with a C header NAME.h and a C++ header NAME.hpp, made ahead of time of the model in
# model.cpp, which ends with RONDO_EXPORT. It needs nothing else, not even rondo:
#
#     rondo_add_library(amp FROM amp_model.cpp WEIGHTS amp.safetensors)
#     target_link_libraries(plugin PRIVATE amp)
#
# FUNCTIONS: step and run unless told. TARGETS: the levels x86-64-v2, -v3 and -v4 on x86-64, of which each CPU
# takes its own at run time, else the host; one target or levels of x86-64. BATCH: 1 unless told. EMIT writes
# the stages of the code as text. The library is made anew when the model or its weights change. The target
# NAME_selftest, if C is enabled, is a program that tests it.
function(rondo_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FROM;WEIGHTS;WEIGHTS_IN;BATCH;PREFIX" "FUNCTIONS;TARGETS;EMIT")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "rondo_add_library(${name}): unknown: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_FROM)
    message(FATAL_ERROR "rondo_add_library(${name}): FROM model.cpp is missing")
  endif()
  if(CMAKE_CROSSCOMPILING)
    message(FATAL_ERROR "rondo_add_library(${name}): runs the model where it builds; for another machine, "
                        "run it there with TARGETS, or use `rondo compile`")
  endif()
  if(NOT arg_TARGETS)
    set(arg_TARGETS host)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
      set(arg_TARGETS x86-64-v2 x86-64-v3 x86-64-v4)
    endif()
  endif()
  if(NOT arg_WEIGHTS)
    set(arg_WEIGHTS external)
  endif()

  set(directory ${CMAKE_CURRENT_BINARY_DIR}/${name}_library)
  file(MAKE_DIRECTORY ${directory})
  set(options --output ${directory} --name ${name})
  foreach(list FUNCTIONS TARGETS EMIT)
    if(arg_${list})
      string(REPLACE ";" "," joined "${arg_${list}}")
      string(TOLOWER ${list} option)
      if(list STREQUAL EMIT)
        string(TOLOWER "${joined}" joined)
      endif()
      list(APPEND options --${option} ${joined})
    endif()
  endforeach()
  foreach(value BATCH PREFIX WEIGHTS_IN)
    if(arg_${value})
      string(TOLOWER ${value} option)
      string(REPLACE "_" "-" option ${option})
      list(APPEND options --${option} ${arg_${value}})
    endif()
  endforeach()

  set(outputs ${directory}/lib${name}.a ${directory}/${name}.h ${directory}/${name}.hpp)
  set(depends ${name}_generator)
  if(NOT arg_WEIGHTS STREQUAL external)
    get_filename_component(arg_WEIGHTS ${arg_WEIGHTS} ABSOLUTE)
    list(APPEND depends ${arg_WEIGHTS})
    list(APPEND outputs ${directory}/${name}_selftest.c)
  endif()
  list(APPEND options --weights ${arg_WEIGHTS})

  add_executable(${name}_generator EXCLUDE_FROM_ALL ${arg_FROM})
  target_link_libraries(${name}_generator PRIVATE rondo::rondo)
  add_custom_command(OUTPUT ${outputs} COMMAND ${name}_generator ${options} DEPENDS ${depends}
                     COMMENT "Compiling the library ${name}" VERBATIM)
  add_custom_target(${name}_files DEPENDS ${outputs})
  add_library(${name} STATIC IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${directory}/lib${name}.a
                                           INTERFACE_INCLUDE_DIRECTORIES ${directory})
  add_dependencies(${name} ${name}_files)

  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if(C IN_LIST languages AND NOT arg_WEIGHTS STREQUAL external)
    add_executable(${name}_selftest EXCLUDE_FROM_ALL ${directory}/${name}_selftest.c)
    target_link_libraries(${name}_selftest PRIVATE ${name})
  endif()
endfunction()
