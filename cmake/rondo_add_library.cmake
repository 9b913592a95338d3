# rondo_add_library(NAME FROM model.cpp [FUNCTIONS step run ...] [WEIGHTS file.safetensors | external]
#                   [WEIGHTS_IN library | pointer | array] [TARGETS ...] [BATCH n | any] [BLOCK n] [PREFIX p]
#                   [EMIT IR LLVM ASSEMBLY HTML])
#
# A static library NAME with a C header NAME.h and a C++ header NAME.hpp, made ahead of time of the model in
# model.cpp, which ends with RONDO_EXPORT. It needs nothing else, not even rondo:
#
#     rondo_add_library(amp FROM amp_model.cpp WEIGHTS amp.safetensors)
#     target_link_libraries(plugin PRIVATE amp)
#
# FUNCTIONS   step and run unless told; train is train_step.
# WEIGHTS     baked into the library; external, the default: the caller brings them, and prepares them once.
# WEIGHTS_IN  where they are: library (read-only data), pointer (their values are in NAME_weights.bin), array (as
#             a C array in NAME_weights.h).
# TARGETS     the levels x86-64-v2, -v3 and -v4 on x86-64, of which each CPU takes its own at run time, else
#             the host. Levels of x86-64 share an archive; any other target has one of its own. One archive is
#             the CMake target NAME. Of several, each is NAME_<target>, with x86-64 for the levels and _ for :
#             and , ; NAME is then the one for the machine that is built for, or the headers alone.
# BATCH       1 unless told.
# BLOCK       steps that run walks at a time, 64 unless told. Its scratch memory is for so many, whatever T is;
#             smaller blocks take less of it, and give the same bits.
# EMIT        the stages of the code in NAME_library/stages, as text or as one page.
#
# All files are in ${CMAKE_CURRENT_BINARY_DIR}/NAME_library; with several archives each is in a folder there,
# named like its target. wasm32 has NAME.wasm and NAME.mjs beside its archive. They are made anew when the
# model, a header of it, or its weights change. The target NAME_files makes them and links nothing;
# NAME_selftest, if C is enabled and the weights are known, is a program that tests NAME.
#
# Where CMake builds for another machine, that is the target unless TARGETS says else, and a package of this
# machine serves: see rondo_cross.cmake.
include(${CMAKE_CURRENT_LIST_DIR}/rondo_cross.cmake)

function(rondo_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FROM;WEIGHTS;WEIGHTS_IN;BATCH;BLOCK;PREFIX" "FUNCTIONS;TARGETS;EMIT")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "rondo_add_library(${name}): unknown: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "rondo_add_library(${name}): no value of ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT arg_FROM)
    message(FATAL_ERROR "rondo_add_library(${name}): FROM model.cpp is missing")
  endif()
  foreach(word ${name} ${arg_PREFIX})
    if(NOT word MATCHES "^[A-Za-z][A-Za-z0-9_]*$")
      message(FATAL_ERROR "rondo_add_library(${name}): `${word}` is not a name in C")
    endif()
  endforeach()
  _rondo_machine(machine)
  if(NOT arg_TARGETS)
    set(arg_TARGETS host)
    if(machine STREQUAL x86-64)
      set(arg_TARGETS x86-64-v2 x86-64-v3 x86-64-v4)
    elseif(CMAKE_CROSSCOMPILING)
      set(arg_TARGETS ${machine})
    endif()
  endif()
  if(CMAKE_CROSSCOMPILING AND (NOT arg_TARGETS OR host IN_LIST arg_TARGETS))
    message(FATAL_ERROR "rondo_add_library(${name}): TARGETS has to name the machine that is built for "
                        "(CMAKE_SYSTEM_PROCESSOR: ${CMAKE_SYSTEM_PROCESSOR})")
  endif()
  if(NOT arg_WEIGHTS)
    set(arg_WEIGHTS external)
  endif()

  set(directory ${CMAKE_CURRENT_BINARY_DIR}/${name}_library)
  file(MAKE_DIRECTORY ${directory})
  _rondo_archives(folders native "${machine}" ${arg_TARGETS})
  set(outputs ${directory}/${name}.h ${directory}/${name}.hpp)
  foreach(folder ${folders})
    _rondo_directory(place ${directory} ${folder} "${folders}")
    list(APPEND outputs ${place}/lib${name}.a)
    if(folder MATCHES "^wasm32")
      list(APPEND outputs ${place}/${name}.wasm ${place}/${name}.mjs)
    endif()
  endforeach()
  if(CMAKE_CROSSCOMPILING)
    _rondo_host_generator(${name} ${arg_FROM})
    set(generator ${CMAKE_BINARY_DIR}/rondo_host/bin/${name}_generator)
    set(depends ${name}_generator ${generator})
  else()
    _rondo_generator(${name} ${arg_FROM})
    set(generator ${name}_generator)
    set(depends ${name}_generator)
  endif()
  if(NOT arg_WEIGHTS STREQUAL external)
    get_filename_component(arg_WEIGHTS ${arg_WEIGHTS} ABSOLUTE)
    list(APPEND depends ${arg_WEIGHTS})
    list(APPEND outputs ${directory}/${name}_selftest.c)
    if(arg_WEIGHTS_IN STREQUAL pointer)
      list(APPEND outputs ${directory}/${name}_weights.bin)
    elseif(arg_WEIGHTS_IN STREQUAL array)
      list(APPEND outputs ${directory}/${name}_weights.h)
    endif()
  endif()

  set(options --output ${directory} --name ${name})
  string(TOLOWER "${arg_EMIT}" arg_EMIT)
  foreach(key FUNCTIONS TARGETS EMIT WEIGHTS WEIGHTS_IN BATCH BLOCK PREFIX)
    if(NOT "${arg_${key}}" STREQUAL "")
      string(TOLOWER ${key} option)
      string(REPLACE "_" "-" option ${option})
      list(JOIN arg_${key} "," values)
      list(APPEND options --${option} ${values})
    endif()
  endforeach()
  add_custom_command(OUTPUT ${outputs} COMMAND ${generator} ${options} DEPENDS ${depends}
                     COMMENT "Compiling the library ${name}" VERBATIM)
  add_custom_target(${name}_files DEPENDS ${outputs})

  foreach(folder ${folders})
    _rondo_directory(place ${directory} ${folder} "${folders}")
    if(NOT place STREQUAL directory)
      _rondo_import(${name}_${folder} STATIC ${name} ${place}/lib${name}.a)
    endif()
  endforeach()
  if(native)
    _rondo_directory(place ${directory} ${native} "${folders}")
    _rondo_import(${name} STATIC ${name} ${place}/lib${name}.a)
  else()
    _rondo_import(${name} INTERFACE ${name} "")
  endif()
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if(C IN_LIST languages AND native AND NOT arg_WEIGHTS STREQUAL external)
    add_executable(${name}_selftest EXCLUDE_FROM_ALL ${directory}/${name}_selftest.c)
    target_link_libraries(${name}_selftest PRIVATE ${name})
  endif()
endfunction()

# The program that makes the library of a model.
function(_rondo_generator name model)
  add_executable(${name}_generator EXCLUDE_FROM_ALL ${model})
  target_link_libraries(${name}_generator PRIVATE rondo::rondo)
  target_compile_options(${name}_generator PRIVATE $<$<CXX_COMPILER_ID:GNU,Clang>:-O0>)  # built faster than it runs
endfunction()

# The folders of the archives that targets give, and the one of them for the machine that is built for: the
# only one, the host's, or the one of its architecture.
function(_rondo_archives folders_variable native_variable machine)
  set(folders)
  foreach(target ${ARGN})
    string(REGEX REPLACE "^x86-64(-v[0-9])?$" "x86-64" folder ${target})
    string(REGEX REPLACE "[:,]" "_" folder ${folder})
    list(APPEND folders ${folder})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  list(LENGTH folders count)
  set(native)
  if(count EQUAL 1)
    set(native ${folders})
  elseif("host" IN_LIST folders)
    set(native host)
  elseif(machine IN_LIST folders)
    set(native ${machine})
  endif()
  set(${folders_variable} ${folders} PARENT_SCOPE)
  set(${native_variable} ${native} PARENT_SCOPE)
endfunction()

# Where an archive is: alone, beside the headers.
function(_rondo_directory variable directory folder folders)
  list(LENGTH folders count)
  if(count GREATER 1)
    string(APPEND directory /${folder})
  endif()
  set(${variable} ${directory} PARENT_SCOPE)
endfunction()

# The imported target of an archive of the library, or of its headers.
function(_rondo_import target kind library archive)
  add_library(${target} ${kind} IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
                                             ${CMAKE_CURRENT_BINARY_DIR}/${library}_library)
  if(archive)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${archive})
  endif()
  add_dependencies(${target} ${library}_files)
endfunction()
