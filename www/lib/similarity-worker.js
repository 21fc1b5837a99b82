/**
 * @file The worker that compares feature maps.
 */
import { serve } from './serve.js';
import { similarityMethods } from './similarity-engine.js';

serve(similarityMethods({}));
