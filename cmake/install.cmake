# The package: libraries, headers, the tool, and what find_package and pkg-config read.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(parts support ir runtime passes codegen frontend)
foreach(part ${parts})
  set_target_properties(rondo_${part} PROPERTIES EXPORT_NAME ${part})
  install(TARGETS rondo_${part} EXPORT rondoTargets ARCHIVE DESTINATION lib)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${part} DESTINATION include/rondo FILES_MATCHING PATTERN "*.h"
          PATTERN "llvm" EXCLUDE)
endforeach()
set_target_properties(rondo_frontend PROPERTIES EXPORT_NAME rondo)
install(TARGETS rondo RUNTIME DESTINATION bin)

set(package lib/cmake/rondo)
install(EXPORT rondoTargets NAMESPACE rondo:: DESTINATION ${package})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/rondoConfig.cmake.in ${PROJECT_BINARY_DIR}/rondoConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rondoConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)  # rondo_add_library serves projects for other machines
install(FILES ${PROJECT_BINARY_DIR}/rondoConfig.cmake ${PROJECT_BINARY_DIR}/rondoConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/rondo_add_library.cmake ${CMAKE_CURRENT_LIST_DIR}/rondo_cross.cmake
        DESTINATION ${package})
install(DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/host_generators DESTINATION ${package})
configure_file(${CMAKE_CURRENT_LIST_DIR}/rondo.pc.in ${PROJECT_BINARY_DIR}/rondo.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/rondo.pc DESTINATION lib/pkgconfig)
