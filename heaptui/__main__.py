from heaptui.cli.main import main

main()
