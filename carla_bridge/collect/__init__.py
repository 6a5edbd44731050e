"""`carla-bridge collect`: labelled recordings by a plan.

command -> supervisor -> child -> drive_process -> drive_recorder -> frame_writer; what is written
is `carla_bridge.recording`.
"""
