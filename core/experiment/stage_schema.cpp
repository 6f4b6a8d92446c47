#include "experiment/stage_schema.h"

#include "optim/optimizer.h"

namespace astroclip {

namespace {

using config::above;
using config::at_least;
using config::between;
using config::Schema;

const Schema<GroupSpec>& group_schema() {
  static const auto schema =
      Schema<GroupSpec>("Parameters by name; the factors of all groups that name one multiply.")
          .required("match", &GroupSpec::match,
                    "names of parameters, with * for anything: \"image.backbone.*\", \"*.bias\", \"loss.*\"")
          .field("lr_scale", &GroupSpec::lr_scale, "factor on the learning rate", at_least(0.0))
          .field("decay_scale", &GroupSpec::decay_scale, "factor on the weight decay", at_least(0.0))
          .field("frozen_steps", &GroupSpec::frozen_steps,
                 "steps at the start in which they do not change, while their moments do", at_least(0));
  return schema;
}

const Schema<OptimizerSpec>& optimizer_schema() {
  static const auto schema =
      Schema<OptimizerSpec>("The optimiser, with a linear warm-up and a cosine.")
          .field("name", &OptimizerSpec::name, "the optimiser", config::one_of(optim::optimizer_names()))
          .field("lr", &OptimizerSpec::lr, "peak learning rate", above(0.0))
          .field("weight_decay", &OptimizerSpec::weight_decay,
                 "decay of weights: decoupled (adamw), or added to gradients (sgd)", at_least(0.0))
          .field("decay_scale_end", &OptimizerSpec::decay_scale_end,
                 "factor on the weight decay at the end of the stage, reached from 1 on a cosine", at_least(0.0))
          .field("betas", &OptimizerSpec::betas, "decay of both moments; sgd: the first is its momentum",
                 config::each(between(0.0, 0.999999)))
          .field("epsilon", &OptimizerSpec::epsilon, "added to the root of the second moment", above(0.0))
          .field("warmup", &OptimizerSpec::warmup, "steps of linear warm-up", at_least(0))
          .field("warmup_ends_at_peak", &OptimizerSpec::warmup_ends_at_peak,
                 "the last step of the warm-up has the peak rate, as in DINOv2; otherwise the first step after it")
          .field("min_lr", &OptimizerSpec::min_lr, "learning rate at the end of the cosine", at_least(0.0))
          .renamed("floor", "min_lr")
          .field("max_grad_norm", &OptimizerSpec::max_grad_norm, "bound on the norm of all gradients; 0: none",
                 at_least(0.0))
          .renamed("clip", "max_grad_norm")
          .field("clip_apart", &OptimizerSpec::clip_apart,
                 "parameters by name, as in groups: those of each entry have a gradient norm of their own, with the "
                 "same bound")
          .field("decay_vectors", &OptimizerSpec::decay_vectors, "decay biases, norms and scales too")
          .field("layer_decay", &OptimizerSpec::layer_decay,
                 "factor on the learning rate from each block of an encoder to the one before", between(0.01, 1.0))
          .tables("groups", &OptimizerSpec::groups, "parameters with other rates", group_schema())
          .check([](const OptimizerSpec& o) { return o.betas.size() == 2 ? "" : "'betas' must be two numbers"; })
          .check([](const OptimizerSpec& o) { return o.min_lr <= o.lr ? "" : "'min_lr' must not exceed 'lr'"; });
  return schema;
}

const Schema<StochasticDepthSpec>& stochastic_depth_schema() {
  using Draw = nn::StochasticDepth::Draw;
  static const auto schema =
      Schema<StochasticDepthSpec>("Branches of transformer blocks that are computed for some samples of a batch only.")
          .field("rate", &StochasticDepthSpec::rate, "share of the samples that skip a branch", between(0.0, 0.99))
          .field("uniform", &StochasticDepthSpec::uniform,
                 "the same rate in every block; otherwise from 0 in the first to the rate in the last")
          .choice("draw", &StochasticDepthSpec::draw,
                  "the same number of samples each time, as DINOv2 draws them, or each sample by itself",
                  {{"fixed_share", Draw::fixed_share}, {"independent", Draw::independent}})
          .field("encoders", &StochasticDepthSpec::encoders,
                 "the encoders that it is for; all of the stage when empty");
  return schema;
}

const Schema<ValidationSpec>& validation_schema() {
  static const auto schema =
      Schema<ValidationSpec>("Measuring on training objects set apart.")
          .field("every", &ValidationSpec::every,
                 "steps from one validation to the next, with one before the first and one after the last; 0: none",
                 at_least(0))
          .field("metric", &ValidationSpec::metric, "metric that selects the best weights, named as in metrics.jsonl")
          .choice("mode", &ValidationSpec::mode,
                  "whether lower values (min), higher ones (max) or those near 0 (zero) are better",
                  {{"min", Extremum::min}, {"max", Extremum::max}, {"zero", Extremum::zero}})
          .field("patience", &ValidationSpec::patience,
                 "validations in a row without a better one that end the stage; 0: never", at_least(0))
          .field("tasks", &ValidationSpec::tasks,
                 "run the tasks on the objects set apart, too, with probes fitted on that many training objects; 0: no",
                 at_least(0))
          .choice("keep", &ValidationSpec::keep, "weights that the stage ends with, for what comes after it",
                  {{"best", Keep::best}, {"last", Keep::last}})
          .field("figures", &ValidationSpec::figures,
                 "objects of which a loss that draws figures does so at each validation", at_least(0))
          .no_effect_on_results();
  return schema;
}

const Schema<WatchSpec>& watch_schema() {
  static const auto schema =
      Schema<WatchSpec>("Looking for a collapse of the representation on objects set apart.")
          .field("every", &WatchSpec::every,
                 "steps from one look to the next, with one before the first and one after the last; 0: none",
                 at_least(0))
          .no_effect_on_results()
          .field("objects", &WatchSpec::objects, "largest number of objects embedded", at_least(4))
          .no_effect_on_results()
          .field("label", &WatchSpec::label,
                 "a number that k-NN predicts for half of them from the other half; none: no k-NN")
          .no_effect_on_results()
          .field("threshold", &WatchSpec::threshold,
                 "a sign indicates a collapse once it has come this near to its value in one, as a share of a safe "
                 "distance: that of the first look, and 0.1 for what the loss can tell",
                 between(0.0, 1.0))
          .no_effect_on_results();
  return schema;
}

}  // namespace

const Schema<StageSpec>& stage_schema() {
  static const auto schema =
      Schema<StageSpec>("One stage of training.")
          .required("name", &StageSpec::name, "names the stage, for init, its files and the log", config::file_name())
          .field("encoders", &StageSpec::encoders, "the encoders the stage trains; all when empty")
          .plugin("loss", &StageSpec::loss, "the loss and its parameters")
          .field("steps", &StageSpec::steps, "optimiser steps", between(0, 1000000000))
          .field("batch", &StageSpec::batch, "objects of a step", between(1, 1 << 20))
          .field("accumulate", &StageSpec::accumulate, "batches of a step, whose gradients are averaged",
                 between(1, 1 << 20))
          .field("micro_batch", &StageSpec::micro_batch,
                 "objects encoded at once for a loss of the whole batch: less memory, more time; 0: all of them",
                 at_least(0))
          .field("recompute", &StageSpec::recompute,
                 "encoders whose blocks are computed again in the backward pass instead of kept for it (activation "
                 "checkpointing): a fraction of the memory for activations, a quarter to a third more time")
          .no_effect_on_results()
          .field("ema", &StageSpec::ema,
                 "decay of a moving average of the weights, which validations, files and what comes after the stage "
                 "take in place of the last; 0: none",
                 between(0.0, 0.999999))
          .section("optimizer", &StageSpec::optimizer, "optimiser and learning rate", optimizer_schema())
          .section("stochastic_depth", &StageSpec::stochastic_depth, "samples skip branches of blocks",
                   stochastic_depth_schema())
          .field("freeze", &StageSpec::freeze, "parts that are not trained: \"spectrum.backbone\"")
          .pairs("init", &StageSpec::init, &InitSpec::encoder, &InitSpec::source,
                 "encoder = an earlier stage's name, or a file of weights")
          .section("validation", &StageSpec::validation, "measuring on objects set apart", validation_schema())
          .section("watch", &StageSpec::watch, "watching for a collapse", watch_schema())
          .choice("on_nonfinite", &StageSpec::on_nonfinite,
                  "when a loss or a gradient is not finite: end the run (error), or leave out the step (skip); three "
                  "such steps in a row end the run",
                  {{"error", OnNonfinite::error}, {"skip", OnNonfinite::skip}})
          .field("checkpoint_every", &StageSpec::checkpoint_every, "steps from one checkpoint to the next", at_least(1))
          .no_effect_on_results()
          .field("keep_checkpoints", &StageSpec::keep_checkpoints, "how many checkpoints the run keeps, the latest",
                 at_least(1))
          .no_effect_on_results();
  return schema;
}

}  // namespace astroclip
