// SPDX-License-Identifier: Apache-2.0
// expect-error: bound_to[(]model[)] must be const and return a loss of the same type
#include "unlearn/unlearn.hpp"

struct Model {
  double logit_bias();
};

struct MyLoss : unlearn::SigLip {
#ifdef UNLEARN_BAD
  using unlearn::SigLip::bound_to;  // a SigLip, no longer a MyLoss
#else
  MyLoss bound_to(Model& model) const { return {SigLip::bound_to(model)}; }
#endif
};

MyLoss current(Model& model) { return unlearn::bound_loss(MyLoss{}, model); }
