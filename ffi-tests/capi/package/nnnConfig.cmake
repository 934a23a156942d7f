# find_package(nnn): the targets nnn::nnn (shared) and nnn::nnn_static. Neither needs another library.
get_filename_component(_nnn_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET nnn::nnn)
  add_library(nnn::nnn SHARED IMPORTED)
  set_target_properties(nnn::nnn PROPERTIES
    IMPORTED_LOCATION "${_nnn_prefix}/lib/libnnn.so.@VERSION@"
    IMPORTED_SONAME "libnnn.so.@SOVERSION@"
    INTERFACE_INCLUDE_DIRECTORIES "${_nnn_prefix}/include")
  add_library(nnn::nnn_static STATIC IMPORTED)
  set_target_properties(nnn::nnn_static PROPERTIES
    IMPORTED_LOCATION "${_nnn_prefix}/lib/libnnn.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_nnn_prefix}/include")
endif()

unset(_nnn_prefix)
