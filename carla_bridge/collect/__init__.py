"""`carla-bridge collect`: labelled recordings by a plan.

On the data's side: plan, sweep, blocks, recording. On the simulator's: supervisor -> child ->
drive_process -> drive_recorder -> frame_writer.
"""
