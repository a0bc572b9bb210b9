# slipway_library(NAME SOURCES file... [DEPS layer...] [PUBLIC target...] [PRIVATE target...])
#
# One folder = one static library = one namespace. NAME is the folder below src/ with / written _ (ml/ops is ml_ops).
# DEPS names the slipway layers it may include; base is always one of them. tests/lint/layers.py holds the permitted edges.
function(slipway_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PUBLIC;PRIVATE" ${ARGN})
  add_library(slipway_${name} STATIC ${ARG_SOURCES})
  add_library(slipway::${name} ALIAS slipway_${name})
  target_include_directories(slipway_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/src)
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(slipway_${name} PUBLIC slipway::${dep})
  endforeach()
  if(NOT name STREQUAL "base")
    target_link_libraries(slipway_${name} PUBLIC slipway::base)
  endif()
  target_link_libraries(slipway_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# slipway_test(NAME SOURCES file... DEPS layer... [LINK target...] [TIMEOUT seconds] [LABELS label...])
#
# One gtest program tests/NAME, each case of it one ctest entry "NAME.Suite.Case".
function(slipway_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  # Tests may look at private headers of the layer they mirror ("dag/field_table.h") and at tests/support.
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(test_${name} PRIVATE slipway::${dep})
  endforeach()
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  target_compile_definitions(test_${name} PRIVATE SLIPWAY_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    SLIPWAY_BINARY="${CMAKE_BINARY_DIR}/bin/slipway")
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}." NO_PRETTY_VALUES DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
