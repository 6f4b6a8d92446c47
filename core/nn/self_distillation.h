#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/communicator.h"
#include "nn/dino_head.h"

/// The objective of DINOv2 (Oquab et al. 2023): a student's features of crops and masked patches against those of a
/// teacher, its moving average.
namespace astroclip::nn {

/// Softmax of logits/temperature, balanced by Sinkhorn and Knopp's iterations so that all K prototypes get the same
/// share of the rows of all processes (Caron et al. 2020, "SwAV", appendix A). [N, K]
Tensor sinkhorn_knopp(const Tensor& logits, double temperature, int iterations, Communicator& communicator);

/// Kozachenko and Leonenko's estimate of the negative entropy of rows x [N, D] (Sablayrolles et al. 2019, "Spreading
/// vectors for similarity search"): −mean log of the distance to the nearest other row, at unit length. N ≥ 2.
Tensor koleo(const Tensor& x);

/// Share of the prototypes that are the likeliest of a row of probabilities [N, K], of those that could be: min(N, K).
Tensor prototypes_in_use(const Tensor& probabilities);

/// target ← momentum · target + (1 − momentum) · source, tensor by tensor.
void follow(const std::vector<NamedTensor>& targets, const std::vector<NamedTensor>& sources, double momentum);

enum class Centring { softmax, sinkhorn_knopp };

struct SelfDistillationOptions {
  DinoHead::Options head;
  bool shared_head = true;  ///< class tokens and patches go through one head
  Centring centring = Centring::softmax;
  double centre_momentum = 0.9;
  double student_temperature = 0.1;
  double dino_weight = 1.0, ibot_weight = 1.0, koleo_weight = 0.1;
};

/// Heads of student and teacher ("student_head", "teacher_head", for patches "student_patch_head", …) and the centres
/// of the teacher's logits ("dino_centre", "ibot_centre").
class SelfDistillation final : public Module {
 public:
  explicit SelfDistillation(const SelfDistillationOptions& options);

  /// Features of B objects: of two global crops [B · 2, D] and L local crops [B · L, D], an object's crops together,
  /// and of M masked patches [M, D].
  struct Features {
    Tensor global, local, patches;  ///< local, patches: undefined where there are none
  };
  struct Terms {
    Tensor dino_global, dino_local, ibot, koleo;  ///< weighted; their sum is the loss. Undefined: no such term
    Tensor entropy, mean_entropy;                 ///< of the teacher's rows, of their mean
    Tensor targets;                               ///< the teacher's rows: of the global crops [B · 2, K]
    Tensor total() const;
  };
  /// The terms as the published code optimises them. `weights` [M]: 1/(masked patches of the same crop). Of the
  /// teacher's features only `global` and `patches` count. While the tape records, the batch's mean logits are kept for
  /// `update`.
  Terms operator()(const Features& student, const Features& teacher, const Tensor& weights, double teacher_temperature,
                   Communicator& communicator);
  /// The teacher's heads become the student's.
  void begin();
  /// The teacher's heads follow the student's, and the centres the batches since the last update.
  void update(double momentum);
  /// Those batches are forgotten.
  void forget();
  /// The length of the centre of class tokens.
  Tensor centre_norm() const;

 private:
  /// A head of the teacher's, and what is kept of its logits.
  struct Centre {
    Tensor value;    ///< [K]
    Tensor pending;  ///< sum of the mean logits of batches since the last update
    double batches = 0.0;
  };
  /// Of class tokens, then of patches, if there are any: by one product if they share a head.
  Tensor logits(bool of_teacher, const Tensor& class_tokens, const Tensor& patches) const;
  /// What the teacher says of class tokens, then of patches [·, K]. Keeps the mean logits if the tape records.
  Tensor targets_of(const Features& teacher, double temperature, Communicator& communicator);
  void move(Centre& centre) const;

  SelfDistillationOptions options_;
  DinoHead student_, teacher_;
  std::unique_ptr<DinoHead> student_patches_, teacher_patches_;  ///< none if shared
  Centre dino_, ibot_;
};

}  // namespace astroclip::nn
