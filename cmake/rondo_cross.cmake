# rondo_add_library in a project that is built for another machine. The model still becomes a program of this one:
# a project beside, in ${CMAKE_BINARY_DIR}/rondo_host, builds the generators with this machine's compiler and package.
#
# RONDO_HOST_PREFIX    where that package is, if not the one that find_package found or the sources taken in
# RONDO_HOST_OPTIONS   of CMake for that project: -DCMAKE_CXX_COMPILER=clang++;-DCMAKE_PREFIX_PATH=...

# The target for the machine that CMake builds for, as rondo names it; empty if it has no name for that.
function(_rondo_machine variable)
  set(machine)
  if(EMSCRIPTEN OR CMAKE_SYSTEM_PROCESSOR MATCHES "^wasm32$")
    set(machine wasm32)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    set(machine x86-64)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(machine aarch64)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^armv7")
    set(machine armv7)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^riscv64$")
    set(machine riscv64)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(cortex-m4|thumbv7em)")
    set(machine thumbv7em)
  endif()
  set(${variable} "${machine}" PARENT_SCOPE)
endfunction()

# The program NAME_generator for this machine, and the target that builds it.
function(_rondo_host_generator name model)
  set(host ${CMAKE_BINARY_DIR}/rondo_host)
  set(program ${host}/bin/${name}_generator)
  get_filename_component(model ${model} ABSOLUTE)
  set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  set(package "find_package(rondo REQUIRED NO_DEFAULT_PATH PATHS ${here})\n")
  if(RONDO_HOST_PREFIX)
    set(package "find_package(rondo REQUIRED NO_DEFAULT_PATH PATHS ${RONDO_HOST_PREFIX})\n")
  elseif(NOT EXISTS ${here}/rondoConfig.cmake)
    get_filename_component(source ${here} DIRECTORY)
    set(package "add_subdirectory(${source} rondo EXCLUDE_FROM_ALL)\n")
  endif()
  file(CONFIGURE OUTPUT ${host}/package.cmake @ONLY CONTENT "${package}")
  file(CONFIGURE OUTPUT ${host}/generators/${name}.cmake @ONLY CONTENT
       "_rondo_generator(${name} ${model})
set_target_properties(${name}_generator PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${host}/bin)
")
  add_custom_target(${name}_generator
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${here}/host_generators -DBUILD=${host} -DGENERATOR=${CMAKE_GENERATOR}
            "-DOPTIONS=${RONDO_HOST_OPTIONS}" -DTARGET=${name}_generator -P ${here}/host_generators/build.cmake
    BYPRODUCTS ${program} COMMENT "Building ${name}_generator for this machine" VERBATIM)
  # One at a time, as they share a folder.
  get_property(before GLOBAL PROPERTY RONDO_HOST_GENERATOR)
  if(before)
    add_dependencies(${name}_generator ${before})
  endif()
  set_property(GLOBAL PROPERTY RONDO_HOST_GENERATOR ${name}_generator)
endfunction()
