"""A model file of this project as a PyTorch network."""
import json
from safetensors import safe_open
from gghost import g_ghost_regnetx


def load(path):
    """-> network in inference mode, config"""
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["g-ghostnet"])
        state = {key: file.get_tensor(key).float() for key in file.keys()}
    net = g_ghost_regnetx(config["variant"].rsplit("_", 1)[1].removeprefix("regnetx"), len(config["classes"]))
    unexpected = [k for k in net.load_state_dict(state, strict=False).missing_keys
                  if not k.endswith("num_batches_tracked")]
    assert not unexpected, unexpected
    return net.eval(), config
