# chasqui_embed(TARGET SOURCE FOLDER FILE...): compresses files and hands SOURCE, a .c of TARGET, the folder they are in as
# EMBED_DIR (NAME.gz each); SOURCE takes them in with .incbin and is compiled anew when one of them changes.
function(chasqui_embed target source folder)
    set(packed "")
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/embed/${folder})
    foreach(file ${ARGN})
        get_filename_component(name ${file} NAME)
        set(out ${CMAKE_BINARY_DIR}/embed/${folder}/${name}.gz)
        add_custom_command(OUTPUT ${out} COMMAND gzip -9 -n -c ${CMAKE_SOURCE_DIR}/${folder}/${file} > ${out}
            DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/${file} VERBATIM)
        list(APPEND packed ${out})
    endforeach()
    target_sources(${target} PRIVATE ${packed})
    set_property(SOURCE ${source} APPEND PROPERTY OBJECT_DEPENDS ${packed})
    set_property(SOURCE ${source} APPEND PROPERTY COMPILE_DEFINITIONS EMBED_DIR="${CMAKE_BINARY_DIR}/embed/${folder}")
endfunction()
