"""The one place where plan, processes, queue, faults and history meet.

`run` is one execution of a scenario from provisioning to verdict. It is handed its kinds (`parts`) and never picks them.

    prepare -> provision -> start workers -> drive the workload while faults strike -> heal -> drain -> judge
"""
