add_test(NAME Readme.ShowsTheProgramThatIsBuilt
         COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -P ${CMAKE_CURRENT_LIST_DIR}/readme.cmake)
add_test(NAME Layers.IncludeWhatStandsBelowThem
         COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -P ${CMAKE_CURRENT_LIST_DIR}/layers.cmake)
set_tests_properties(Readme.ShowsTheProgramThatIsBuilt Layers.IncludeWhatStandsBelowThem PROPERTIES LABELS quick)
if(TARGET echo)
  add_test(NAME Echo.Learns COMMAND echo)
  set_tests_properties(Echo.Learns PROPERTIES LABELS quick ENVIRONMENT "RONDO_CACHE=off" PASS_REGULAR_EXPRESSION "update 600: loss 0\\.0")
endif()
