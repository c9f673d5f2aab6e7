# chasqui_embed(SOURCE FOLDER FILE...): hands SOURCE, a .c, the folder as EMBED_DIR; it takes the files in with .incbin and is
# compiled anew when one of them changes.
function(chasqui_embed source folder)
    set(files "")
    foreach(file ${ARGN})
        list(APPEND files ${CMAKE_SOURCE_DIR}/${folder}/${file})
    endforeach()
    set_property(SOURCE ${source} APPEND PROPERTY OBJECT_DEPENDS ${files})
    set_property(SOURCE ${source} APPEND PROPERTY COMPILE_DEFINITIONS EMBED_DIR="${CMAKE_SOURCE_DIR}/${folder}")
endfunction()
