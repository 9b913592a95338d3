# The program in README.md is examples/echo/main.cpp, to the letter. usage: cmake -DROOT=... -P readme.cmake
file(READ ${ROOT}/README.md readme)
file(READ ${ROOT}/examples/echo/main.cpp program)
string(FIND "${readme}" "```cpp\n${program}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "README.md does not show examples/echo/main.cpp as it is")
endif()
