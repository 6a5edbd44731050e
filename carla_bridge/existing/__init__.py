"""Recordings of other tools as recordings of ours: `carla-bridge collect --existing`.

For the command line: `arguments.add_arguments(parser)` adds the options, and `arguments.run(args)`
does it where `args.existing` is given. For programs:

    from carla_bridge.existing.convert import ConvertOptions, convert

    summary = convert(ConvertOptions(input=Path('old'), output=Path('recording')))

What is found decides what is done: tags or colours, a folder or a ROS bag, the version of CARLA.
Where the evidence is not clear, nothing is guessed: an error says which evidence was missing.
"""
