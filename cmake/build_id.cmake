# cmake -DSOURCE=dir -DHOW=text -DOUTPUT=file -P build_id.cmake
# Writes the digest of the sources that decide what compiled code is, and of how they are built.
file(GLOB_RECURSE sources RELATIVE ${SOURCE} ${SOURCE}/codegen/*.cpp ${SOURCE}/codegen/*.h ${SOURCE}/ir/*.cpp
     ${SOURCE}/ir/*.h ${SOURCE}/support/*.cpp ${SOURCE}/support/*.h ${SOURCE}/runtime/executable.h)
list(SORT sources)
set(all "${HOW}")
foreach(source ${sources})
  file(SHA256 ${SOURCE}/${source} digest)
  string(APPEND all "${source} ${digest}\n")
endforeach()
string(SHA256 id "${all}")
file(WRITE ${OUTPUT} "#include \"codegen/compiler_id.h\"

const char* const rondo::codegen::kBuildId = \"${id}\";
")
