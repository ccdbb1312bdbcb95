#include "solver/spec/pytorch_keys.hpp"

namespace underdamp {

const std::map<std::string, ForeignKey>& keys_of_pytorch() {
  const std::string adam = "remove it: it belongs to Adam and its kin, which are not SGD with momentum";
  static const std::map<std::string, ForeignKey> keys{
      {"lr", {"learning_rate", ""}},
      {"mu", {"momentum", ""}},
      {"beta", {"momentum", ""}},
      {"wd", {"weight_decay", ""}},
      {"batch", {"batch_size", ""}},
      {"dampening",
       {"",
        "remove it and write learning_rate = lr*(1 - dampening), the same map; momentum_buffer is then "
        "-(1 - dampening)*v (docs/spec.md, PyTorch)"}},
      {"nesterov",
       {"",
        "remove it: Nesterov's momentum is another map; near a minimum of curvature h it is this one with momentum = "
        "mu*(1 - lr*h) (docs/spec.md, PyTorch)"}},
      {"momentum_buffer",
       {"", "remove it and give the start in [initial]: v = -momentum_buffer (docs/spec.md, PyTorch)"}},
      {"maximize", {"", "remove it, and change the sign of the loss"}},
      {"betas", {"", adam}},
      {"eps", {"", adam}},
      {"amsgrad", {"", adam}}};
  return keys;
}

}  // namespace underdamp
