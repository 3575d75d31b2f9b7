/*
What do the bugs that shipped do?

npm run lesson 08

                              MaxVio                   slots   output     mean
bug                          without   with  chance  changed   off by     bias see, on GitHub
bias in the weights             0.28   0.28    0.24    0.0 %    9.2 %    0.000 vllm-project/vllm#12002
bias of 5 loaded as bf16        0.28   0.32    0.24    5.4 %   31.4 %    5.000 vllm-project/vllm#23640
groups masked with 0            0.29   4.57    0.24   98.8 %  147.6 %   -1.000 vllm-project/vllm#13474
groups ranked by 1, not 2       0.29   0.31    0.24   13.5 %   50.7 %    0.000 NVIDIA/Megatron-LM#1441
softmax, bias of sigmoid        0.28   9.67    0.24   84.6 %  156.2 %    0.000 ml-explore/mlx-lm#1883
scale forgotten                 0.28   0.28    0.24    0.0 %   60.0 %    0.000 sgl-project/sglang#31449
scale put on twice              0.28   0.28    0.24    0.0 %  150.0 %    0.000 vllm-project/vllm#45037
K = 1, normalised               0.70   0.70    0.63    0.0 %   12.4 %    0.000 jingyaogong/minimind#858
bias kept in bf16, from 5       0.37   3.26    0.24   34.3 %   77.9 %    5.000 NVIDIA/Megatron-LM#1482
moved every micro-batch         2.91   0.47    0.24   26.4 %   68.6 %    0.000 pytorch/torchtitan#1304
counted twice, sign             0.38   0.38    0.24    0.0 %    0.0 %    0.000 pytorch/torchtitan#1593
counted twice, in tokens        0.59   1.81    0.24   26.6 %   72.4 %    0.000 pytorch/torchtitan#1593
counts against shares           0.38   3.26    0.24   34.7 %   78.3 %   -0.595 gfyddha/FlyLoRA#1
not centred                     0.40   0.40    0.24    0.0 %    0.0 %    0.044 pytorch/torchtitan#1506
padding counted                 0.39   0.65    0.27   20.2 %   60.5 %    0.000 NVIDIA/Megatron-LM#5542

Moved every micro-batch, the bias makes 128 steps of 0.001 where it should make 16: too few to balance this
router from zero, so the load looks the better. It is a rate 8 times as high as was asked for all the same.
*/
import { compare } from './museum/compare.js'
import { exhibits } from './museum/exhibits.js'

console.log('                              MaxVio                   slots   output     mean')
console.log('bug                          without   with  chance  changed   off by     bias see, on GitHub')
for (const exhibit of exhibits) {
  const { right, wrong, chance, slots, output, meanBias } = compare(exhibit)
  const row = [
    exhibit.bug.padEnd(26),
    right.toFixed(2).padStart(9),
    wrong.toFixed(2).padStart(6),
    chance.toFixed(2).padStart(7),
    `${(100 * slots).toFixed(1)} %`.padStart(8),
    `${(100 * output).toFixed(1)} %`.padStart(8),
    (Math.round(1000 * meanBias) / 1000 + 0).toFixed(3).padStart(8),
    exhibit.shipped,
  ]
  console.log(row.join(' '))
}

console.log(`
Moved every micro-batch, the bias makes 128 steps of 0.001 where it should make 16: too few to balance this
router from zero, so the load looks the better. It is a rate 8 times as high as was asked for all the same.`)

// Both simulations see the same tokens, 1024 a batch, each for 6 of 64 experts, without the bug and with it; "chance" is
// the MaxVio of fair routing. A bug in the weights does not show in the load, so look at the output too. Counting twice is
// harmless to a sign, and not centring to float32, until someone loads a bias of 5 as bf16. Megatron-LM#1441 and
// torchtitan#1506 ask which is right; the others repair the bug, or report it.
