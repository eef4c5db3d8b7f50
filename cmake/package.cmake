# A .deb by CPack: scripts/package. The paths in the units are those of the prefix, so the package is made with the prefix /usr.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tokenfix)
set(CPACK_PACKAGE_CONTACT "the authors of tokenfix <tokenfix@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "tokenfix shows what it would change, copies every affected document into
a backup, changes the documents in transactions together with that copy,
compares the result byte for byte with what the repair should have made of
it, adds up every account before and after, and takes it all back on demand.
.
The package has the program, its manual pages and completions, units for
systemd (none is enabled), and libtokenfix with its headers.")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/deb/compress.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS passwd)
# a mongod for the sandbox is downloaded by pip; programs of others need the driver's headers
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3-pip, libmongoc-dev, pkg-config")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/cmake/deb/postinst ${CMAKE_SOURCE_DIR}/cmake/deb/prerm
    ${CMAKE_SOURCE_DIR}/cmake/deb/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES docs/runbook.md docs/protocol.md docs/alerts.md docs/audit-trail.md docs/data.md docs/performance.md docs/reliability.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
include(CPack)
